"""What people's own calendars are told of visits: invitations by mail, and a secret feed for each officer."""
