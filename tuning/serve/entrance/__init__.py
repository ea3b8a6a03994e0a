"""Who comes in where others do: log-ins and names, the page that asks for them, and the gate that nobody passes without one."""
