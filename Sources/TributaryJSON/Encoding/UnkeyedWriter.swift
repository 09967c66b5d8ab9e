/// The elements of one array.
struct UnkeyedWriter: UnkeyedEncodingContainer {
    let state: EncodingState
    let index: Int

    var codingPath: [any CodingKey] { state.path(of: index) }
    var count: Int { Int(state.nodes[index].count) }

    @inline(__always)
    private func element() -> Int { state.element(of: index) }

    func encodeNil() throws { state.setNull(element()) }
    func encode(_ value: Bool) throws { state.set(value, element()) }
    func encode(_ value: String) throws { state.set(value, element()) }
    func encode(_ value: Double) throws { try state.encode(double: value, at: element()) }
    func encode(_ value: Float) throws { try state.encode(float: value, at: element()) }
    func encode(_ value: Int) throws { state.set(value, element()) }
    func encode(_ value: Int8) throws { state.set(value, element()) }
    func encode(_ value: Int16) throws { state.set(value, element()) }
    func encode(_ value: Int32) throws { state.set(value, element()) }
    func encode(_ value: Int64) throws { state.set(value, element()) }
    @available(macOS 15.0, *)
    func encode(_ value: Int128) throws { state.set(value, element()) }
    func encode(_ value: UInt) throws { state.set(value, element()) }
    func encode(_ value: UInt8) throws { state.set(value, element()) }
    func encode(_ value: UInt16) throws { state.set(value, element()) }
    func encode(_ value: UInt32) throws { state.set(value, element()) }
    func encode(_ value: UInt64) throws { state.set(value, element()) }
    @available(macOS 15.0, *)
    func encode(_ value: UInt128) throws { state.set(value, element()) }
    func encode<Value: Encodable>(_ value: Value) throws { try state.encode(value, at: element()) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        ValueWriter(state: state, index: element()).container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        ValueWriter(state: state, index: element()).unkeyedContainer()
    }

    func superEncoder() -> any Encoder { ValueWriter(state: state, index: element()) }
}
