extension EncodingState {
    private var isPretty: Bool { options.outputFormatting.contains(.prettyPrinted) }

    /// Writes the tree to `output`.
    func write() throws(JSONLimit) {
        guard texts.count < Int(UInt32.max) >> 1, nodes.count < Int(UInt32.max) >> 1 else { throw JSONLimit() }
        try write(0, isPretty: isPretty)
    }

    private func write(_ index: Int, isPretty: Bool) throws(JSONLimit) {
        let node = nodes[index]
        switch node.kind {
        case .leaf: output.append(texts, Int(node.start), Int(node.size))
        case .object, .array:
            guard node.depth < 511 else { throw JSONLimit() }
            try writeContainer(node, index, isPretty: isPretty)
        case .open, .dropped:
            output.append(literal: "{")
            if isPretty {
                output.append(literal: "\n\n")
                indent(Int(node.depth))
            }
            output.append(literal: "}")
        }
    }

    private func writeContainer(_ node: Node, _ index: Int, isPretty: Bool) throws(JSONLimit) {
        let isObject = node.kind == .object
        output.append(isObject ? UInt8(ascii: "{") : UInt8(ascii: "["))
        if isPretty { output.append(literal: "\n") }
        var isFirst = true
        if isObject, !node.flags.isDisjoint(with: [.unsorted, .suspect]) {
            let begin = order.count
            sort(node)
            let end = order.count
            var position = begin
            while position < end {
                try writeChild(Int(order[position]), isObject, isPretty, &isFirst)
                position &+= 1
            }
            order.truncate(to: begin)
        } else if node.count > 0 {
            var child = Int(node.start)
            while child != 0 {
                try writeChild(child, isObject, isPretty, &isFirst)
                child = Int(nodes[child].next)
            }
        }
        if isPretty {
            output.append(literal: "\n")
            indent(Int(node.depth))
        }
        output.append(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
    }

    @inline(__always)
    private func writeChild(
        _ index: Int, _ isObject: Bool, _ isPretty: Bool, _ isFirst: inout Bool
    ) throws(JSONLimit) {
        let node = nodes[index]
        if node.kind == .dropped { return }
        let key = Int(node.keyStart)
        let size = Int(node.keySize)
        // Key and leaf mostly lie side by side, with a comma in front.
        if isObject, !isPretty, node.kind == .leaf, !node.flags.contains(.escapes),
            Int(node.start) == key &+ size &+ 2
        {
            output.append(texts, isFirst ? key &- 1 : key &- 2, size &+ (isFirst ? 3 : 4) &+ Int(node.size))
            isFirst = false
            return
        }
        if !isFirst { output.append(UInt8(ascii: ",")) }
        if isPretty {
            if !isFirst { output.append(UInt8(ascii: "\n")) }
            indent(Int(node.depth))
        }
        isFirst = false
        if isObject {
            if !isPretty, !node.flags.contains(.escapes) {
                output.append(texts, key &- 1, size &+ 3)
            } else {
                output.append(UInt8(ascii: "\""))
                appendEscaped(texts.input.slice(key, size), to: output)
                if isPretty { output.append(literal: "\" : ") } else { output.append(literal: "\":") }
            }
        }
        try write(index, isPretty: isPretty)
    }

    private func indent(_ depth: Int) {
        for _ in 0..<depth { output.append(literal: "  ") }
    }

    /// Appends the members of an object to `order`: by their keys, or as they came; of those with one key the last.
    private func sort(_ node: Node) {
        let begin = order.count
        let mayRepeat = node.count <= 24 ? insertSorted(node, begin) : appendSorted(node, begin)
        if mayRepeat { dropRepeated(begin) }
        guard !isSorted else { return }
        var members: [UInt32] = []
        for position in begin..<order.count { members.append(order[position]) }
        members.sort()
        for (offset, member) in members.enumerated() { order[begin &+ offset] = member }
    }

    /// Puts each member where it belongs as it comes, equal ones as they came, and answers if two may have one key.
    @inline(__always)
    private func insertSorted(_ node: Node, _ begin: Int) -> Bool {
        var mayRepeat = false
        var child = Int(node.start)
        while child != 0 {
            if nodes[child].kind != .dropped {
                let head = nodes[child].keyHead
                var hole = order.count
                order.append(UInt32(truncatingIfNeeded: child))
                while hole > begin {
                    let other = order[hole &- 1]
                    let otherHead = nodes[Int(other)].keyHead
                    if otherHead < head { break }
                    if otherHead == head {
                        mayRepeat = true
                        if !precedes(child, Int(other)) { break }
                    }
                    order[hole] = other
                    hole &-= 1
                }
                order[hole] = UInt32(truncatingIfNeeded: child)
            }
            child = Int(nodes[child].next)
        }
        return mayRepeat
    }

    @inline(never)
    private func appendSorted(_ node: Node, _ begin: Int) -> Bool {
        var members: [UInt32] = []
        var child = Int(node.start)
        while child != 0 {
            if nodes[child].kind != .dropped { members.append(UInt32(truncatingIfNeeded: child)) }
            child = Int(nodes[child].next)
        }
        members.sort { precedes(Int($0), Int($1)) || isSameKey($0, $1) && $0 < $1 }
        for member in members { order.append(member) }
        return true
    }

    /// Keeps the last of neighbours with one key.
    @inline(never)
    private func dropRepeated(_ begin: Int) {
        var kept = begin
        var position = begin
        while position < order.count {
            let member = order[position]
            if kept > begin, isSameKey(order[kept &- 1], member) { kept &-= 1 }
            order[kept] = member
            kept &+= 1
            position &+= 1
        }
        order.truncate(to: kept)
    }

    @inline(__always)
    private func isSameKey(_ one: UInt32, _ other: UInt32) -> Bool {
        nodes[Int(one)].keyHead == nodes[Int(other)].keyHead && isSameBeyondHead(nodes[Int(one)], nodes[Int(other)])
    }

    @inline(never)
    private func isSameBeyondHead(_ first: Node, _ second: Node) -> Bool {
        guard first.keySize == second.keySize else { return false }
        let bytes = texts.input
        return bytes.matches(bytes.slice(Int(first.keyStart), Int(first.keySize)), at: Int(second.keyStart))
    }
}
