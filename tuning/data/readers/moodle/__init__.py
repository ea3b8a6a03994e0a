"""Question banks of Moodle in XML, and what their HTML says."""
