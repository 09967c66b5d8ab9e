import TributaryCore
import TributaryState

func put(_ table: any StateTable, _ key: [UInt8], _ value: [UInt8]) throws {
    try table.put(unsafe key.span.bytes, unsafe value.span.bytes)
}

func get(_ table: any StateTable, _ key: [UInt8]) throws -> [UInt8]? {
    var value = ByteWriter()
    return try table.get(unsafe key.span.bytes, into: &value) ? value.copy() : nil
}
