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
        if let box = lending.borrow(number, index) { return KeyedEncodingContainer<Key>.of(box) }
        return newKeyed(type, index, number)
    }

    @inline(never)
    private func newKeyed<Key: CodingKey>(_ type: Key.Type, _ index: Int, _ number: Int) -> KeyedEncodingContainer<Key>
    {
        let cursor = lending.cursor(self, index, number: number)
        let container = KeyedEncodingContainer(KeyedWriter<Key>(cursor: cursor))
        lending.add(box(container), cursor, number: number)
        return container
    }

    /// A new last element of `array`.
    @inline(__always)
    func element(of array: Int) -> Int {
        var node = Node()
        node.keySize = nodes[array].count
        return append(node, to: array)
    }

    /// A new last member of `object`.
    @inline(__always)
    func member(_ key: some CodingKey, of object: Int) -> Int {
        if hasDefaultKeys { return member(named: key.stringValue, of: object) }
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

    @inline(__always)
    func member(named name: String, of object: Int) -> Int {
        var node = Node()
        texts.append(UInt8(ascii: "\""))
        let start = texts.count
        RawInput.withUTF8(of: name) { texts.append($0) }
        node.keyStart = UInt32(truncatingIfNeeded: start)
        node.keySize = UInt32(truncatingIfNeeded: texts.count &- start)
        let keys = texts.input
        if firstSpecial(keys, start) < keys.count { node.flags = .escapes }
        node.keyHead = keys.word(at: start).byteSwapped
        texts.append(word: 0x3A22, size: 2)
        if isSorted {
            if nodes[object].count > 0 {
                let last = nodes[Int(nodes[object].size)]
                if !precedes(last, node) { nodes[object].flags.insert(.unsorted) }
            }
        } else {
            let bytes = texts.input
            let ends = UInt32(bytes[start]) &* 31 ^ UInt32(bytes[start &+ Int(node.keySize) &- 1]) &* 7 ^ node.keySize
            let bit: UInt32 = 1 &<< (ends & 31)
            if nodes[object].filter & bit != 0 { nodes[object].flags.insert(.suspect) }
            nodes[object].filter |= bit
        }
        return append(node, to: object)
    }

    @inline(__always)
    private func append(_ new: Node, to parent: Int) -> Int {
        var node = new
        let index = nodes.count
        node.parent = UInt32(truncatingIfNeeded: parent)
        node.depth = nodes[parent].depth &+ 1
        nodes.append(node)
        let here = UInt32(truncatingIfNeeded: index)
        if nodes[parent].count == 0 {
            nodes[parent].start = here
        } else {
            nodes[Int(nodes[parent].size)].next = here
        }
        nodes[parent].size = here
        nodes[parent].count &+= 1
        return index
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

    /// True if the key of `one` comes before that of `other`, byte by byte.
    @inline(__always)
    func precedes(_ one: Node, _ other: Node) -> Bool {
        one.keyHead != other.keyHead ? one.keyHead < other.keyHead : precedesBeyondHead(one, other)
    }

    @inline(never)
    private func precedesBeyondHead(_ one: Node, _ other: Node) -> Bool {
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
