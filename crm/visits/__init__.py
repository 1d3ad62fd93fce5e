"""Every visit to a household, by purpose: finding a time, booking, moving, calling off, writing up, signing off."""
