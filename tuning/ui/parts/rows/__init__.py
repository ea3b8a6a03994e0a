"""Parts of the Data tab: files brought, columns named, sets of the Hub, rows read and edited, and the way here from elsewhere."""
