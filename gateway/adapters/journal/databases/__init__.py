"""The journal's two databases behind one port."""
