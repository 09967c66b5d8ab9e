import TributaryCore

/// What `#expect` can't take apart itself: its macro refuses views as parts of an expression.
func hex(_ bytes: [UInt8]) -> String { bytes.span.bytes.hexadecimal }

func compare(_ left: [UInt8], _ right: [UInt8]) -> Int { left.span.bytes.compare(to: right.span.bytes) }

func prefixWord(_ bytes: [UInt8]) -> UInt64 { bytes.span.bytes.prefixWord() }
