"""Where components come from: CMSs over HTTP, files on this machine, SQL queries."""
