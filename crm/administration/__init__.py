"""Screens for those who run the service's system: settings, people, letters, jobs, the trail. No household's story."""
