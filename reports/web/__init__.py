"""The review desk: what QA staff and physicists work with every morning, as pages made on the server.

    guard     headers of every answer, which host names are answered
    access    who is asking, and may they
    doors     sign in and out, the first person
    pages     a module a page; each reads by SQL, a bounded number of rows
    actions   what people do; each writes an audit record in its transaction
    api       the same data as JSON, for tokens

The desk never opens an image and never measures. What needs the images (a header, a name behind a hash) comes through functions
that whoever starts it hands in with `Config`.
"""
