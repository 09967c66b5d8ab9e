public import TributaryCore

/// A walk over a snapshot of a ``ByteTree``, in key order or against it.
public struct ByteTreeCursor {
    /// The inner nodes on the way to the leaf, each with the index of the child taken.
    private var path: [(node: ByteTreeNode, index: Int)] = []
    private var leaf: ByteTreeNode?
    private var index = 0
    private let isReverse: Bool
    private let end: [UInt8]?

    /// Begins at `lower`, or with `reverse` at `upper`; both are included, nil is open-ended.
    public init(_ tree: ByteTree, from lower: RawSpan?, through upper: RawSpan?, reverse: Bool) {
        isReverse = reverse
        let start: RawSpan?
        if reverse {
            start = upper
            if let lower { end = [UInt8](copying: lower) } else { end = nil }
        } else {
            start = lower
            if let upper { end = [UInt8](copying: upper) } else { end = nil }
        }
        var node = tree.root
        while !node.page.value.isLeaf {
            let child: Int
            if let start {
                child = node.page.value.childIndex(start)
            } else {
                child = reverse ? node.page.value.count - 1 : 0
            }
            path.append((node, child))
            node = node.page.value.children[child]
        }
        leaf = node
        if let start {
            let (position, found) = node.page.value.lowerBound(start)
            index = reverse && !found ? position - 1 : position
        } else {
            index = reverse ? node.page.value.count - 1 : 0
        }
    }

    /// Appends the next key and value; returns false at the end.
    public mutating func next(appendKeyTo key: inout ByteWriter, appendValueTo value: inout ByteWriter) -> Bool {
        while let node = leaf {
            if index >= 0 && index < node.page.value.count {
                if let end {
                    let order = node.page.value.order(ofKeyAt: index, to: end.span.bytes)
                    if isReverse ? order < 0 : order > 0 {
                        finish()
                        return false
                    }
                }
                node.page.value.appendKey(at: index, to: &key)
                node.page.value.appendValue(at: index, to: &value)
                index += isReverse ? -1 : 1
                return true
            }
            stepToNextLeaf()
        }
        return false
    }

    private mutating func stepToNextLeaf() {
        while let (parent, taken) = path.popLast() {
            let next = taken + (isReverse ? -1 : 1)
            guard next >= 0 && next < parent.page.value.count else { continue }
            path.append((parent, next))
            var node = parent.page.value.children[next]
            while !node.page.value.isLeaf {
                let child = isReverse ? node.page.value.count - 1 : 0
                path.append((node, child))
                node = node.page.value.children[child]
            }
            leaf = node
            index = isReverse ? node.page.value.count - 1 : 0
            return
        }
        leaf = nil
    }

    /// Lets go of the snapshot.
    public mutating func finish() {
        path.removeAll()
        leaf = nil
    }
}
