//! The group on a simulated network with simulated disks.
