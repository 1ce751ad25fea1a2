//! What lies on the media and on the target machine: manifest, paths, state slots. No I/O.
