"""Digital phantoms and faulty studies whose right answer is known.

Draw a shape (`shapes`), spoil it (`degrade`), make it DICOM (`dicomize`, `multiframe`, `encode`); `catalogue` does all of that by name,
`faults` breaks a study on purpose, `day` writes a few studies to look at, and `simulate` a whole day such as a PACS would send it, with
the key and the marks (`marking`) for those who learn on it.
"""
