"""A run on a machine that is rented by the minute (Hugging Face Jobs): prices, what is sent, what runs there, and what comes home.

The job writes the same run folder as any other training; this room carries it there and back. Who may rent, and what a run would
take there, is the studio's affair.
"""
