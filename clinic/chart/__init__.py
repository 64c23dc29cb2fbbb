"""What a mouth is, in plain data: teeth, kinds of entry, rules, words, drawing, versions. No database, no Flask.

Screen, fragment, print, comparison and every past version are made from the same `Mouth` (mouth.py), so they cannot tell different
things. Meaning is stored once; how it looks is a legend's (legends.py).
"""
