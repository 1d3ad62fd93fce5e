"""Who people are and what they may open: accounts, sign-in, sessions, guards."""
