"""What embedding costs: pictures a second beside what people would use instead, parity, memory."""
