"""When files go and come: times of an agreement, holidays, and what is due. The clock is handed in."""
