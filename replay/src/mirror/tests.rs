//! Tests of the mirror against a server.
