"""Digital phantoms and faulty studies whose right answer is known.

Draw a shape (`shapes`), spoil it (`degrade`), make it DICOM (`dicomize`, `multiframe`, `encode`); `catalogue` does all of that by name,
`faults` breaks a study on purpose, `day` writes a folder such as a PACS would send in a day.
"""
