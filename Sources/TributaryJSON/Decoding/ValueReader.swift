/// The decoder of one value, and its own single value container: 16 bytes, so that no existential has to box it.
struct ValueReader: Decoder, SingleValueDecodingContainer {
    let state: DecodingState
    let index: Int

    var codingPath: [any CodingKey] { state.path(of: index) }
    var userInfo: [CodingUserInfoKey: Any] { state.options.userInfo }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        try state.openObject(index)
        return state.keyed(type, index)
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try state.openArray(index)
        return UnkeyedReader(state: state, index: index)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    func decodeNil() -> Bool { state.tape[index].kind == .null }
    func decode(_ type: Bool.Type) throws -> Bool { try state.bool(at: index, codingPath) }
    func decode(_ type: String.Type) throws -> String { try state.string(at: index, codingPath) }
    func decode(_ type: Double.Type) throws -> Double { try state.float(type, at: index, codingPath) }
    func decode(_ type: Float.Type) throws -> Float { try state.float(type, at: index, codingPath) }
    func decode(_ type: Int.Type) throws -> Int { try state.integer(type, at: index, codingPath) }
    func decode(_ type: Int8.Type) throws -> Int8 { try state.integer(type, at: index, codingPath) }
    func decode(_ type: Int16.Type) throws -> Int16 { try state.integer(type, at: index, codingPath) }
    func decode(_ type: Int32.Type) throws -> Int32 { try state.integer(type, at: index, codingPath) }
    func decode(_ type: Int64.Type) throws -> Int64 { try state.integer(type, at: index, codingPath) }
    @available(macOS 15.0, *)
    func decode(_ type: Int128.Type) throws -> Int128 { try state.integer(type, at: index, codingPath) }
    func decode(_ type: UInt.Type) throws -> UInt { try state.integer(type, at: index, codingPath) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try state.integer(type, at: index, codingPath) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try state.integer(type, at: index, codingPath) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try state.integer(type, at: index, codingPath) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try state.integer(type, at: index, codingPath) }
    @available(macOS 15.0, *)
    func decode(_ type: UInt128.Type) throws -> UInt128 { try state.integer(type, at: index, codingPath) }
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try state.decode(type, at: index) }
}
