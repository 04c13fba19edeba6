"""What the commands of `blocks` do; each module is imported when its command runs."""
