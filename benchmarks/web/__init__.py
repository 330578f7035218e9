"""The pages that people open every day beside a bare endpoint: `./run bench web`."""
