/// What one call of `decode` works on: the tape of tokens, and the bytes they point to.
///
/// All that changes lies behind pointers of `let` fields. Decoders and containers hold this and the index of a token. One
/// thread at a time.
final class DecodingState {
    let options: FastJSONDecoder.Options
    let tape: Table<Token>
    /// Strings whose escapes were resolved, and converted keys.
    let arena: Table<UInt8>
    /// Containers of keys, and the types of keys, to name the way to an error.
    let lending = Lending<DecodingState>()
    let slots: Table<UInt32>
    let input: Cell<RawInput>
    // What `input` views once a decoder has outlived its call.
    private let kept: Cell<[Table8]>
    /// Random and odd, so that nobody can send keys with equal hashes.
    let multiplier: UInt64
    let hasDefaultKeys: Bool

    init(options: FastJSONDecoder.Options) {
        self.options = options
        tape = Table(capacity: 64)
        arena = Table(capacity: 64)
        slots = Table(capacity: 8)
        input = Cell(.none)
        kept = Cell([])
        multiplier = UInt64.random(in: 0...UInt64.max) | 1
        if case .useDefaultKeys = options.keyDecodingStrategy { hasDefaultKeys = true } else { hasDefaultKeys = false }
    }

    /// Copies the input for decoders that are still alive after the call.
    func keepInput() {
        let copy = Table8(input.value)
        kept.value.append(copy)
        input.value = copy.table.input
    }

    /// The bytes of the string, key or number at `index`.
    @inline(__always)
    func text(at index: Int) -> RawInput { text(of: tape[index]) }

    @inline(__always)
    func text(of token: Token) -> RawInput {
        let source = token.flags.contains(.inArena) ? arena.input : input.value
        return source.slice(Int(token.start), Int(token.size))
    }

    /// The index after the value at `index` and all that lies inside.
    @inline(__always)
    func after(_ index: Int) -> Int {
        let token = tape[index]
        return token.isContainer ? Int(token.next) : index &+ 1
    }

    /// The value of the member of `object` named `name`, or nothing.
    ///
    /// Begins after the member that was found last: fields mostly come in the order in which they are asked for.
    @inline(__always)
    func member(_ name: String, of object: Int) -> Int? {
        let found = find(name, of: object)
        return found < 0 ? nil : found
    }

    /// The same, or a negative number.
    @inline(__always)
    func find(_ name: String, of object: Int) -> Int { RawInput.withUTF8(of: name) { search($0, object) } }

    private func search(_ name: RawInput, _ object: Int) -> Int {
        let end = Int(tape[object].next)
        let begin = tape[object].cursor
        var key = begin
        while key < end {
            if isKey(key, name) { return hit(key, object) }
            key = after(key &+ 1)
        }
        key = object &+ 1
        while key < begin {
            if isKey(key, name) { return hit(key, object) }
            key = after(key &+ 1)
        }
        return -1
    }

    @inline(__always)
    private func hit(_ key: Int, _ object: Int) -> Int {
        tape[object].cursor = after(key &+ 1)
        return key &+ 1
    }

    @inline(__always)
    private func isKey(_ key: Int, _ name: RawInput) -> Bool {
        let token = tape[key]
        guard Int(token.size) == name.count, !token.flags.contains(.hidden) else { return false }
        let source = token.flags.contains(.inArena) ? arena.input : input.value
        return source.matches(name, at: Int(token.start))
    }

    /// A container of the object at `index`, whose keys are of this type from now on.
    @inline(__always)
    func keyed<Key: CodingKey>(_ type: Key.Type, _ index: Int) -> KeyedDecodingContainer<Key> {
        let number = lending.number(of: type)
        tape[index].keyType = number
        if let box = lending.borrow(number, index) { return KeyedDecodingContainer<Key>.of(box) }
        return newKeyed(type, index, number)
    }

    @inline(never)
    private func newKeyed<Key: CodingKey>(_ type: Key.Type, _ index: Int, _ number: Int) -> KeyedDecodingContainer<Key>
    {
        let cursor = lending.cursor(self, index, number: number)
        let container = KeyedDecodingContainer(KeyedReader<Key>(cursor: cursor))
        lending.add(box(container), cursor, number: number)
        return container
    }

    /// Adds a null that stands for the missing member `key` of `object`.
    func absent(_ key: String, of object: Int) -> Int {
        let start = arena.count
        RawInput.withUTF8(of: key) { arena.append($0) }
        tape.append(
            Token(
                kind: .null, flags: [.absent, .inArena], next: UInt32(truncatingIfNeeded: object),
                start: UInt32(truncatingIfNeeded: start), size: UInt32(truncatingIfNeeded: arena.count &- start)))
        return tape.count &- 1
    }

    /// The coding path of the value at `index`, found by walking down from the top: only errors and curious types ask.
    func path(of index: Int) -> [any CodingKey] {
        let target = tape[index]
        if target.flags.contains(.absent) {
            return path(of: Int(target.next)) + [key(text(at: index).string, of: Int(target.next))]
        }
        var path: [any CodingKey] = []
        var current = 0
        while current < index, tape[current].isContainer {
            let isObject = tape[current].kind == .object
            let end = Int(tape[current].next)
            var child = current &+ 1
            var position = 0
            var next = current
            while child < end {
                let value = isObject ? child &+ 1 : child
                let following = after(value)
                if index < following {
                    path.append(isObject ? key(text(at: child).string, of: current) : JSONKey(index: position))
                    next = value
                    break
                }
                child = following
                position += 1
            }
            if next == current { break }
            current = next
        }
        return path
    }

    private func key(_ name: String, of object: Int) -> any CodingKey {
        let number = tape[object].keyType
        if number > 0, let key = lending.type(number).init(stringValue: name) { return key }
        return JSONKey(stringValue: name)
    }
}

/// A table of bytes that several may hold.
final class Table8 {
    let table: Table<UInt8>

    init(_ bytes: RawInput) {
        table = Table(capacity: bytes.count)
        table.append(bytes)
    }
}
