package appendfile

// Break closes the file behind f's back, so that everything fails.
func (f *File[S]) Break() { _ = f.handle.Close() }
