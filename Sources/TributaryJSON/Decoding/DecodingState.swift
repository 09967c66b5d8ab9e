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
    // Copies of the text, so that a decoder may outlive its call.
    private let buffer = ScanBuffer()
    let input: Cell<ScanInput>
    /// Random and odd, so that nobody can send keys with equal hashes; the same for all keys of a text.
    let multiplier: Cell<UInt64>
    /// True if the filter of a small object took different keys for equal ones: another multiplier may tell them apart.
    let isUnlucky = Cell(false)
    let hasDefaultKeys: Bool
    let knowsShortTexts = ShortText.isUsable

    init(options: FastJSONDecoder.Options) {
        self.options = options
        tape = Table(capacity: 64)
        arena = Table(capacity: 64)
        slots = Table(capacity: 8)
        input = Cell(buffer.load(.none))
        multiplier = Cell(UInt64.random(in: 0...UInt64.max) | 1)
        if case .useDefaultKeys = options.keyDecodingStrategy { hasDefaultKeys = true } else { hasDefaultKeys = false }
    }

    /// Takes the text to read.
    @inline(__always)
    func load(_ bytes: RawInput) throws(JSONFault) {
        guard bytes.count < Int(UInt32.max) - 16 else { throw JSONFault(message: "longer than 4 GB", offset: 0) }
        input.value = buffer.load(bytes)
    }

    /// Gives memory back that only a giant text needed: 1.5 MB of tokens and 1 MB of texts stay.
    @inline(__always)
    func shrink() {
        if tape.count > 65_536 { tape.shrink(over: 65_536) }
        if arena.count > 1 << 20 { arena.shrink(over: 1 << 20) }
        if input.value.count > 1 << 20 { input.value = buffer.shrink() }
    }

    /// The bytes of the string, key or number at `index`.
    @inline(__always)
    func text(at index: Int) -> RawInput { text(of: tape[index]) }

    @inline(__always)
    func text(of token: Token) -> RawInput {
        bytes(Int(token.start), Int(token.size), inArena: token.flags.contains(.inArena))
    }

    @inline(__always)
    func bytes(_ start: Int, _ size: Int, inArena: Bool) -> RawInput {
        inArena ? arena.input.slice(start, size) : input.value.slice(start, size)
    }

    /// Eight bytes of a string or key from `offset` on.
    @inline(__always)
    func word(of token: Token, at offset: Int) -> UInt64 {
        let position = Int(token.start) &+ offset
        return token.flags.contains(.inArena) ? arena.input.word(at: position) : input.value.word(at: position)
    }

    /// The index after the value at `index` and all that lies inside.
    @inline(__always)
    func after(_ index: Int) -> Int {
        let token = tape[index]
        return token.isContainer ? Int(token.next) : index &+ 1
    }

    /// The value of the member of `object` named `name`, or nothing.
    func member(_ name: String, of object: Int) -> Int? {
        let found = RawInput.withUTF8(of: name) { search($0, object) }
        return found < 0 ? nil : found
    }

    /// The value of the member named `name` of the object of a container, or a negative number.
    ///
    /// Looks first where the key that was asked for as the same one in turn was the last time.
    func find(_ name: String, _ cursor: Cursor<DecodingState>) -> Int {
        let object = cursor.index
        guard hasDefaultKeys, knowsShortTexts, let name = ShortText(name) else {
            return RawInput.withUTF8(of: name) { search($0, object) }
        }
        let turn = cursor.nextTurn()
        let key = object &+ cursor.offset(turn)
        if key < tape.count {
            let token = tape[key]
            if token.kind == .key, Int(token.next) == object, isKey(token, name) { return key &+ 1 }
        }
        return search(name, cursor, turn)
    }

    @inline(__always)
    private func isKey(_ token: Token, _ name: ShortText) -> Bool {
        guard token.extra == name.head, Int(token.size) == name.count, !token.flags.contains(.hidden) else {
            return false
        }
        if name.count <= 8 { return true }
        return word(of: token, at: 8) & mask(of: name.count &- 8) == name.tail
    }

    @inline(never)
    private func search(_ name: ShortText, _ cursor: Cursor<DecodingState>, _ turn: Int) -> Int {
        let object = cursor.index
        let token = tape[object]
        let bit = filterBit(name.head, name.last, name.count)
        if token.filter & (bit | bit &>> 32) == 0 { return -1 }
        let begin = token.cursor
        let end = Int(token.next)
        var key = begin
        while key < end {
            if isKey(tape[key], name) { return hit(key, object, cursor, turn) }
            key = after(key &+ 1)
        }
        key = object &+ 1
        while key < begin {
            if isKey(tape[key], name) { return hit(key, object, cursor, turn) }
            key = after(key &+ 1)
        }
        isUnlucky.value = isUnlucky.value || token.size <= 8
        return -1
    }

    @inline(__always)
    private func hit(_ key: Int, _ object: Int, _ cursor: Cursor<DecodingState>, _ turn: Int) -> Int {
        cursor.setOffset(key &- object, turn)
        return hit(key, object)
    }

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
        return text(of: token).matches(name, at: 0)
    }

    /// A container of the object at `index`, whose keys are of this type from now on.
    @inline(__always)
    func keyed<Key: CodingKey>(_ type: Key.Type, _ index: Int) -> KeyedDecodingContainer<Key> {
        let number = lending.number(of: type)
        tape[index].keyType = number
        if let cursor = lending.borrow(number, index) { return cursor.container(KeyedDecodingContainer<Key>.self) }
        return newKeyed(type, index, number)
    }

    @inline(never)
    private func newKeyed<Key: CodingKey>(_ type: Key.Type, _ index: Int, _ number: Int) -> KeyedDecodingContainer<Key>
    {
        let seat = Seat(self, index)
        let container = KeyedDecodingContainer(KeyedReader<Key>(cursor: seat.cursor))
        seat.fill(container)
        lending.add(seat, number: number)
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
