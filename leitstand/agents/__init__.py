"""Agents at work: threads, their steps and the tools that they use."""
