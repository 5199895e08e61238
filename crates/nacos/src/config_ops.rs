//! Operations on the config center, one file each, with all forms in which clients ask for it.
