/// The members of one object.
struct KeyedWriter<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let cursor: Cursor<EncodingState>

    private var state: EncodingState {
        @inline(__always) get { cursor.state }
    }
    private var index: Int {
        @inline(__always) get { cursor.index }
    }

    var codingPath: [any CodingKey] { state.path(of: index) }

    @inline(__always)
    private func member(_ key: Key) -> Int { state.member(key, of: index) }

    func encodeNil(forKey key: Key) throws { cursor.with { $0.setNull($0.member(key, of: $1)) } }
    func encode(_ value: Bool, forKey key: Key) throws { cursor.with { $0.set(value, $0.member(key, of: $1)) } }
    func encode(_ value: String, forKey key: Key) throws { cursor.with { $0.set(value, $0.member(key, of: $1)) } }
    func encode(_ value: Double, forKey key: Key) throws {
        try cursor.with { try $0.encode(double: value, at: $0.member(key, of: $1)) }
    }
    func encode(_ value: Float, forKey key: Key) throws {
        try cursor.with { try $0.encode(float: value, at: $0.member(key, of: $1)) }
    }
    func encode(_ value: Int, forKey key: Key) throws { cursor.with { $0.set(value, $0.member(key, of: $1)) } }
    func encode(_ value: Int8, forKey key: Key) throws { cursor.with { $0.set(value, $0.member(key, of: $1)) } }
    func encode(_ value: Int16, forKey key: Key) throws { cursor.with { $0.set(value, $0.member(key, of: $1)) } }
    func encode(_ value: Int32, forKey key: Key) throws { cursor.with { $0.set(value, $0.member(key, of: $1)) } }
    func encode(_ value: Int64, forKey key: Key) throws { cursor.with { $0.set(value, $0.member(key, of: $1)) } }
    @available(macOS 15.0, *)
    func encode(_ value: Int128, forKey key: Key) throws { cursor.with { $0.set(value, $0.member(key, of: $1)) } }
    func encode(_ value: UInt, forKey key: Key) throws { cursor.with { $0.set(value, $0.member(key, of: $1)) } }
    func encode(_ value: UInt8, forKey key: Key) throws { cursor.with { $0.set(value, $0.member(key, of: $1)) } }
    func encode(_ value: UInt16, forKey key: Key) throws { cursor.with { $0.set(value, $0.member(key, of: $1)) } }
    func encode(_ value: UInt32, forKey key: Key) throws { cursor.with { $0.set(value, $0.member(key, of: $1)) } }
    func encode(_ value: UInt64, forKey key: Key) throws { cursor.with { $0.set(value, $0.member(key, of: $1)) } }
    @available(macOS 15.0, *)
    func encode(_ value: UInt128, forKey key: Key) throws { cursor.with { $0.set(value, $0.member(key, of: $1)) } }
    func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
        try cursor.with { try $0.encode(value, at: $0.member(key, of: $1)) }
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        nested(key, .object).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        nested(key, .array).unkeyedContainer()
    }

    // A second container for a key goes on with the first.
    private func nested(_ key: Key, _ kind: Node.Kind) -> ValueWriter {
        let name = state.converted(key, of: index)
        if let found = state.existing(name, of: index), state.nodes[found].kind == kind {
            return ValueWriter(state: state, index: found)
        }
        return ValueWriter(state: state, index: member(key))
    }

    func superEncoder() -> any Encoder {
        ValueWriter(state: state, index: state.member(JSONKey.super, of: index))
    }

    func superEncoder(forKey key: Key) -> any Encoder { ValueWriter(state: state, index: member(key)) }
}
