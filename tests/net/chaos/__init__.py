"""Both ends of rough TCP connections: what they do follows from a seed and a number (plan.py), so that
each end knows what the other sends, and says so if anything else arrives (side.py).
"""
