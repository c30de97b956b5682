"""Is it right? Gradient-check cases, planted mistakes, two devices compared, a report on the machine."""
