/// The members of one object.
struct KeyedReader<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let cursor: Cursor<DecodingState>

    private var state: DecodingState {
        @inline(__always) get { cursor.state }
    }
    private var index: Int {
        @inline(__always) get { cursor.index }
    }

    var codingPath: [any CodingKey] { state.path(of: index) }

    // Two members may have one name only for Swift, as e with an accent in one scalar or two: the first one counts.
    var allKeys: [Key] {
        var seen: Set<String> = []
        return state.names(of: index).compactMap { seen.insert($0).inserted ? Key(stringValue: $0) : nil }
    }

    func contains(_ key: Key) -> Bool { find(key) != nil }

    @inline(__always)
    private func find(_ key: Key) -> Int? {
        let found = state.find(key.stringValue, cursor)
        return found < 0 ? nil : found
    }

    @inline(__always)
    private func value(_ key: Key) throws -> Int {
        guard let found = find(key) else { throw missing(key) }
        return found
    }

    /// Reads the member's value, without counting a reference of the state.
    @inline(__always)
    private func read<Value>(_ key: Key, _ body: (DecodingState, Int) throws -> Value) throws -> Value {
        try cursor.with { (state) throws in
            let found = state.find(key.stringValue, cursor)
            guard found >= 0 else { throw missing(key) }
            return try body(state, found)
        }
    }

    /// Reads the member's value unless it is missing or null.
    @inline(__always)
    private func readPresent<Value>(_ key: Key, _ body: (DecodingState, Int) throws -> Value) throws -> Value? {
        try cursor.with { (state) throws in
            let found = state.find(key.stringValue, cursor)
            guard found >= 0, state.tape[found].kind != .null else { return nil }
            return try body(state, found)
        }
    }

    @inline(never)
    private func missing(_ key: Key) -> DecodingError {
        let description = "no member \"\(key.stringValue)\" in the object at byte \(state.tape[index].start)"
        return .keyNotFound(key, .init(codingPath: codingPath, debugDescription: description))
    }

    @inline(never)
    private func path(_ key: Key) -> [any CodingKey] { codingPath + [key] }

    func decodeNil(forKey key: Key) throws -> Bool { state.tape[try value(key)].kind == .null }

    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try read(key) { try $0.bool(at: $1, path(key)) } }
    func decode(_ type: String.Type, forKey key: Key) throws -> String {
        try read(key) { try $0.string(at: $1, path(key)) }
    }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double {
        try read(key) { try $0.float(type, at: $1, path(key)) }
    }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float {
        try read(key) { try $0.float(type, at: $1, path(key)) }
    }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int {
        try read(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 {
        try read(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 {
        try read(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 {
        try read(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 {
        try read(key) { try $0.integer(type, at: $1, path(key)) }
    }
    @available(macOS 15.0, *)
    func decode(_ type: Int128.Type, forKey key: Key) throws -> Int128 {
        try read(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt {
        try read(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 {
        try read(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 {
        try read(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 {
        try read(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 {
        try read(key) { try $0.integer(type, at: $1, path(key)) }
    }
    @available(macOS 15.0, *)
    func decode(_ type: UInt128.Type, forKey key: Key) throws -> UInt128 {
        try read(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try read(key) { try $0.decode(type, at: $1) }
    }

    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? {
        try readPresent(key) { try $0.bool(at: $1, path(key)) }
    }
    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? {
        try readPresent(key) { try $0.string(at: $1, path(key)) }
    }
    func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? {
        try readPresent(key) { try $0.float(type, at: $1, path(key)) }
    }
    func decodeIfPresent(_ type: Float.Type, forKey key: Key) throws -> Float? {
        try readPresent(key) { try $0.float(type, at: $1, path(key)) }
    }
    func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? {
        try readPresent(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decodeIfPresent(_ type: Int8.Type, forKey key: Key) throws -> Int8? {
        try readPresent(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decodeIfPresent(_ type: Int16.Type, forKey key: Key) throws -> Int16? {
        try readPresent(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decodeIfPresent(_ type: Int32.Type, forKey key: Key) throws -> Int32? {
        try readPresent(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decodeIfPresent(_ type: Int64.Type, forKey key: Key) throws -> Int64? {
        try readPresent(key) { try $0.integer(type, at: $1, path(key)) }
    }
    @available(macOS 15.0, *)
    func decodeIfPresent(_ type: Int128.Type, forKey key: Key) throws -> Int128? {
        try readPresent(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decodeIfPresent(_ type: UInt.Type, forKey key: Key) throws -> UInt? {
        try readPresent(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decodeIfPresent(_ type: UInt8.Type, forKey key: Key) throws -> UInt8? {
        try readPresent(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decodeIfPresent(_ type: UInt16.Type, forKey key: Key) throws -> UInt16? {
        try readPresent(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decodeIfPresent(_ type: UInt32.Type, forKey key: Key) throws -> UInt32? {
        try readPresent(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decodeIfPresent(_ type: UInt64.Type, forKey key: Key) throws -> UInt64? {
        try readPresent(key) { try $0.integer(type, at: $1, path(key)) }
    }
    @available(macOS 15.0, *)
    func decodeIfPresent(_ type: UInt128.Type, forKey key: Key) throws -> UInt128? {
        try readPresent(key) { try $0.integer(type, at: $1, path(key)) }
    }
    func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
        try readPresent(key) { try $0.decode(type, at: $1) }
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try ValueReader(state: state, index: value(key)).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try ValueReader(state: state, index: value(key)).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { member(JSONKey.super.stringValue) }
    func superDecoder(forKey key: Key) throws -> any Decoder { member(key.stringValue) }

    // A missing member is a null, as with Foundation.
    private func member(_ name: String) -> ValueReader {
        ValueReader(state: state, index: state.member(name, of: index) ?? state.absent(name, of: index))
    }
}
