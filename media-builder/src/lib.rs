//! Combines a boot image, a task sequence and its packages into bootable media.
