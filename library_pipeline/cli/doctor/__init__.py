"""`library-pipeline doctor`: examines everything a library needs; says what is wrong and why."""
