"""The clusters that we stand on, behind one port. Start reading at ports.py."""
