/// The elements of one array: 24 bytes, so that no existential has to box it.
struct UnkeyedReader: UnkeyedDecodingContainer {
    let state: DecodingState
    private let array: UInt32
    private var next: UInt32
    private var position: UInt32 = 0

    init(state: DecodingState, index: Int) {
        self.state = state
        array = UInt32(truncatingIfNeeded: index)
        next = array &+ 1
    }

    var codingPath: [any CodingKey] { state.path(of: Int(array)) }
    var count: Int? { Int(state.tape[Int(array)].size) }
    var currentIndex: Int { Int(position) }
    var isAtEnd: Bool { position >= state.tape[Int(array)].size }

    @inline(never)
    private func path() -> [any CodingKey] { codingPath + [JSONKey(index: currentIndex)] }

    /// The next element, which ``advance()`` leaves behind once it is decoded.
    @inline(__always)
    private func peek(_ type: Any.Type) throws -> Int {
        guard !isAtEnd else { throw atEnd(type) }
        return Int(next)
    }

    @inline(never)
    private func atEnd(_ type: Any.Type) -> DecodingError {
        .valueNotFound(
            type,
            .init(
                codingPath: path(),
                debugDescription: "no element \(position) in the array at byte \(state.tape[Int(array)].start)"))
    }

    @inline(__always)
    private mutating func advance() {
        if !isAtEnd { next = UInt32(truncatingIfNeeded: state.after(Int(next))) }
        position &+= 1
    }

    /// Decodes an element that is there and not null; either way it is left behind.
    @inline(__always)
    private mutating func present<Value>(_ decode: (Int) throws -> Value) rethrows -> Value? {
        guard !isAtEnd, state.tape[Int(next)].kind != .null else {
            advance()
            return nil
        }
        let value = try decode(Int(next))
        advance()
        return value
    }

    mutating func decodeNil() throws -> Bool {
        guard state.tape[try peek(Never.self)].kind == .null else { return false }
        advance()
        return true
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool {
        let value = try state.bool(at: peek(type), path())
        advance()
        return value
    }
    mutating func decode(_ type: String.Type) throws -> String {
        let value = try state.string(at: peek(type), path())
        advance()
        return value
    }
    mutating func decode(_ type: Double.Type) throws -> Double { try float(type) }
    mutating func decode(_ type: Float.Type) throws -> Float { try float(type) }
    mutating func decode(_ type: Int.Type) throws -> Int { try integer(type) }
    mutating func decode(_ type: Int8.Type) throws -> Int8 { try integer(type) }
    mutating func decode(_ type: Int16.Type) throws -> Int16 { try integer(type) }
    mutating func decode(_ type: Int32.Type) throws -> Int32 { try integer(type) }
    mutating func decode(_ type: Int64.Type) throws -> Int64 { try integer(type) }
    @available(macOS 15.0, *)
    mutating func decode(_ type: Int128.Type) throws -> Int128 { try integer(type) }
    mutating func decode(_ type: UInt.Type) throws -> UInt { try integer(type) }
    mutating func decode(_ type: UInt8.Type) throws -> UInt8 { try integer(type) }
    mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try integer(type) }
    mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try integer(type) }
    mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try integer(type) }
    @available(macOS 15.0, *)
    mutating func decode(_ type: UInt128.Type) throws -> UInt128 { try integer(type) }
    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let value = try state.decode(type, at: peek(type))
        advance()
        return value
    }
    mutating func decodeIfPresent<Value: Decodable>(_ type: Value.Type) throws -> Value? {
        let state = state
        return try present { try state.decode(type, at: $0) }
    }

    @inline(__always)
    private mutating func float<Value: JSONFloat>(_ type: Value.Type) throws -> Value {
        let value = try state.float(type, at: peek(type), path())
        advance()
        return value
    }

    @inline(__always)
    private mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws -> Value {
        let value = try state.integer(type, at: peek(type), path())
        advance()
        return value
    }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested>
    {
        let element = try peek(KeyedDecodingContainer<Nested>.self)
        let container = try ValueReader(state: state, index: element).container(keyedBy: type)
        advance()
        return container
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        let element = try peek((any UnkeyedDecodingContainer).self)
        let container = try ValueReader(state: state, index: element).unkeyedContainer()
        advance()
        return container
    }

    mutating func superDecoder() throws -> any Decoder {
        let element = try peek((any Decoder).self)
        advance()
        return ValueReader(state: state, index: element)
    }
}
