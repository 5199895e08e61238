//! Operations on users and namespaces, one file each.
