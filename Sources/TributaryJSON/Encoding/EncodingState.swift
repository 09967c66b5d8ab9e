/// What one call of `encode` builds: a tree of nodes over a buffer of texts, written out in the end.
///
/// A tree, since containers may be filled in any order. Behind pointers of `let` fields, as ``DecodingState``.
final class EncodingState {
    let options: FastJSONEncoder.Options
    let nodes: Table<Node>
    /// Keys and leaves, in the order in which they came.
    let texts: Table<UInt8>
    let output: Table<UInt8>
    let order: Table<UInt32>
    let lending = Lending<EncodingState>()
    /// The keys before conversion, by node; only with a key strategy.
    let originals: Cell<[Int: any CodingKey]>
    let hasDefaultKeys: Bool
    let isSorted: Bool
    let escapesSlash: Bool
    let knowsShortTexts = ShortText.isUsable

    init(options: FastJSONEncoder.Options) {
        self.options = options
        nodes = Table(capacity: 64)
        texts = Table(capacity: 512)
        output = Table(capacity: 512)
        order = Table(capacity: 64)
        originals = Cell([:])
        if case .useDefaultKeys = options.keyEncodingStrategy { hasDefaultKeys = true } else { hasDefaultKeys = false }
        isSorted = options.outputFormatting.contains(.sortedKeys)
        escapesSlash = !options.outputFormatting.contains(.withoutEscapingSlashes)
    }

    /// Begins anew, with one open node at the top.
    @inline(__always)
    func begin() {
        nodes.removeAll()
        texts.removeAll()
        output.removeAll()
        if !hasDefaultKeys { originals.value = [:] }
        nodes.append(Node())
    }

    /// Makes the node at `index` a container; what else it was before is lost, as when a key is encoded twice.
    @inline(__always)
    func open(_ index: Int, as kind: Node.Kind) {
        guard nodes[index].kind != kind else { return }
        nodes[index].kind = kind
        nodes[index].start = 0
        nodes[index].size = 0
        nodes[index].count = 0
    }

    /// A container of the object at `index`, whose keys are of this type from now on.
    @inline(__always)
    func keyed<Key: CodingKey>(_ type: Key.Type, _ index: Int) -> KeyedEncodingContainer<Key> {
        let number = lending.number(of: type)
        nodes[index].keyType = UInt32(truncatingIfNeeded: number)
        if let cursor = lending.borrow(number, index) { return cursor.container(KeyedEncodingContainer<Key>.self) }
        return newKeyed(type, index, number)
    }

    @inline(never)
    private func newKeyed<Key: CodingKey>(_ type: Key.Type, _ index: Int, _ number: Int) -> KeyedEncodingContainer<Key>
    {
        let seat = Seat(self, index)
        let container = KeyedEncodingContainer(KeyedWriter<Key>(cursor: seat.cursor))
        seat.fill(container)
        lending.add(seat, number: number)
        return container
    }

    /// A new last element of `array`.
    @inline(__always)
    func element(of array: Int) -> Int {
        let index = nodes.count
        nodes.append(
            Node(
                depth: nodes[array].depth &+ 1, parent: UInt32(truncatingIfNeeded: array),
                keySize: nodes[array].count))
        _ = link(index, to: array)
        return index
    }

    /// A new last member of `object`.
    @inline(__always)
    func member(_ key: some CodingKey, of object: Int) -> Int {
        if hasDefaultKeys {
            let name = key.stringValue
            if knowsShortTexts, let name = ShortText(name) { return member(name, of: object) }
            return member(named: name, of: object)
        }
        let index = member(named: converted(key, of: object), of: object)
        originals.value[index] = key
        return index
    }

    func converted(_ key: some CodingKey, of object: Int) -> String {
        switch options.keyEncodingStrategy {
        case .useDefaultKeys: key.stringValue
        case .convertToSnakeCase: SnakeCase.encoded(key.stringValue)
        case .custom(let convert): convert(path(of: object) + [key]).stringValue
        }
    }

    /// The same under a short name.
    @inline(never)
    private func member(_ name: ShortText, of object: Int) -> Int {
        // A comma before each key, a colon behind.
        let start = texts.count &+ 2
        texts.append(quoted: name, before: (0x2C, 1), behind: (0x3A, 1))
        return append(object, start, name.count, name.head.byteSwapped, hasSpecial(name) ? .escapes : [])
    }

    @inline(never)
    func member(named name: String, of object: Int) -> Int {
        texts.append(word: 0x222C, size: 2)
        let start = texts.count
        RawInput.withUTF8(of: name) { texts.append($0) }
        let keys = texts.input
        let size = keys.count &- start
        let head = keys.word(at: start).byteSwapped
        let flags: Node.Flags = firstSpecial(keys, start) < keys.count ? .escapes : []
        texts.append(word: 0x3A22, size: 2)
        return append(object, start, size, head, flags)
    }

    /// Adds a member to `object`: fields are stored once each, where they belong.
    @inline(__always)
    private func append(_ object: Int, _ start: Int, _ size: Int, _ head: UInt64, _ flags: Node.Flags) -> Int {
        let index = nodes.count
        nodes.append(
            Node(
                flags: flags, depth: nodes[object].depth &+ 1, parent: UInt32(truncatingIfNeeded: object),
                keyStart: UInt32(truncatingIfNeeded: start), keySize: UInt32(truncatingIfNeeded: size), keyHead: head))
        let last = link(index, to: object)
        if isSorted {
            if last > 0, !precedes(last, index) {
                nodes[object].flags.insert(.unsorted)
            }
        } else {
            let bit: UInt32 = 1 &<< UInt32(truncatingIfNeeded: filterBit(head, size))
            if nodes[object].filter & bit != 0 { nodes[object].flags.insert(.suspect) }
            nodes[object].filter |= bit
        }
        return index
    }

    /// A number below 32 for a key.
    @inline(__always)
    private func filterBit(_ head: UInt64, _ size: Int) -> UInt64 {
        (head ^ UInt64(truncatingIfNeeded: size)) &* 0x9E37_79B9_7F4A_7C15 &>> 59
    }

    /// Makes the node at `index` the last child of `parent`, and answers which was the last before; zero for none.
    @inline(__always)
    private func link(_ index: Int, to parent: Int) -> Int {
        let here = UInt32(truncatingIfNeeded: index)
        let last = nodes[parent].count == 0 ? 0 : Int(nodes[parent].size)
        if last == 0 { nodes[parent].start = here } else { nodes[last].next = here }
        nodes[parent].size = here
        nodes[parent].count &+= 1
        return last
    }

    /// The member that was encoded last under this name.
    func existing(_ name: String, of object: Int) -> Int? {
        guard nodes[object].kind == .object, nodes[object].count > 0 else { return nil }
        return RawInput.withUTF8(of: name) { bytes in
            var found: Int?
            var child = Int(nodes[object].start)
            while child != 0 {
                let node = nodes[child]
                if node.kind != .dropped, Int(node.keySize) == bytes.count,
                    texts.input.matches(bytes, at: Int(node.keyStart))
                {
                    found = child
                }
                child = Int(node.next)
            }
            return found
        }
    }

    /// True if the key of the node at `one` comes before that at `other`, byte by byte.
    @inline(__always)
    func precedes(_ one: Int, _ other: Int) -> Bool {
        let (first, second) = (nodes[one].keyHead, nodes[other].keyHead)
        return first != second ? first < second : precedesBeyondHead(one, other)
    }

    @inline(never)
    private func precedesBeyondHead(_ first: Int, _ second: Int) -> Bool {
        let (one, other) = (nodes[first], nodes[second])
        let bytes = texts.input
        let common = min(one.keySize, other.keySize)
        var offset: UInt32 = 0
        while offset < common {
            let first = bytes[Int(one.keyStart &+ offset)]
            let second = bytes[Int(other.keyStart &+ offset)]
            if first != second { return first < second }
            offset &+= 1
        }
        return one.keySize < other.keySize
    }

    /// The coding path of the node at `index`.
    func path(of index: Int) -> [any CodingKey] {
        var path: [any CodingKey] = []
        var current = index
        while current != 0 {
            let node = nodes[current]
            let parent = Int(node.parent)
            if nodes[parent].kind == .array {
                path.append(JSONKey(index: Int(node.keySize)))
            } else if let key = originals.value[current] {
                path.append(key)
            } else {
                let name = texts.input.slice(Int(node.keyStart), Int(node.keySize)).string
                let slot = Int(nodes[parent].keyType)
                let typed = slot > 0 ? lending.type(slot).init(stringValue: name) : nil
                path.append(typed ?? JSONKey(stringValue: name))
            }
            current = parent
        }
        return path.reversed()
    }
}
