public import TributaryCore

/// An ordered map of byte strings in memory, as a value: a copy is a snapshot that later changes don't touch.
///
/// A B+-tree whose pages are shared between copies and copied when one of them writes, as LMDB's are. Making a copy is O(1);
/// the first write to a page that another copy holds copies that page, further ones happen in place.
public struct ByteTree {
    /// The most bytes a key or a value may have.
    public static let maximumLength = 1 << 30

    var root: ByteTreeNode
    /// The number of entries.
    public private(set) var count = 0
    /// The bytes of all keys and values.
    public private(set) var byteCount = 0

    /// Makes an empty map.
    public init() { root = ByteTreeNode(ByteTreePage(isLeaf: true)) }

    /// Whether there are no entries.
    public var isEmpty: Bool { count == 0 }

    /// Appends the value of a key to `value`; returns false if there is none.
    public func get(_ key: RawSpan, appendTo value: inout ByteWriter) -> Bool {
        let leaf = leaf(for: key)
        let (index, found) = leaf.page.value.lowerBound(key)
        if found { leaf.page.value.appendValue(at: index, to: &value) }
        return found
    }

    /// Whether a key is there.
    public func contains(_ key: RawSpan) -> Bool {
        leaf(for: key).page.value.lowerBound(key).found
    }

    /// Whether a key is greater than all keys; nil if there are none.
    public func isBeyondLast(_ key: RawSpan) -> Bool? {
        var node = root
        while !node.page.value.isLeaf {
            node = node.page.value.children[node.page.value.count - 1]
        }
        let count = node.page.value.count
        return count == 0 ? nil : node.page.value.order(ofKeyAt: count - 1, to: key) < 0
    }

    private func leaf(for key: RawSpan) -> ByteTreeNode {
        var node = root
        while !node.page.value.isLeaf {
            node = node.page.value.children[node.page.value.childIndex(key)]
        }
        return node
    }

    /// Appends the key next to another to `found`: the least that is not below it, or the greatest that is not above it; without `orEqual`
    /// the key itself doesn't count.
    ///
    /// Returns false if there is none.
    func neighbour(of key: RawSpan, before: Bool, orEqual: Bool, appendTo found: inout ByteWriter) -> Bool {
        Self.neighbour(in: root, of: key, before, orEqual, &found)
    }

    // Without a key: the first entry in the direction of the walk.
    private static func neighbour(
        in node: ByteTreeNode, of key: RawSpan?, _ before: Bool, _ orEqual: Bool, _ found: inout ByteWriter
    ) -> Bool {
        let count = node.page.value.count
        let step = before ? -1 : 1
        guard node.page.value.isLeaf else {
            var index = before ? count - 1 : 0
            if let key {
                index = node.page.value.childIndex(key)
                if neighbour(in: node.page.value.children[index], of: key, before, orEqual, &found) { return true }
                index += step
            }
            while index >= 0 && index < count {
                if neighbour(in: node.page.value.children[index], of: nil, before, orEqual, &found) { return true }
                index += step
            }
            return false
        }
        var index = before ? count - 1 : 0
        if let key {
            let (position, isThere) = node.page.value.lowerBound(key)
            index =
                before
                ? (isThere && orEqual ? position : position - 1) : (isThere && !orEqual ? position + 1 : position)
        }
        guard index >= 0 && index < count else { return false }
        node.page.value.appendKey(at: index, to: &found)
        return true
    }

    /// Adds the first `limit` entries of a range, both ends included, to `rows`, in order.
    func copyRows(from lower: RawSpan, through upper: RawSpan?, limit: Int, into rows: CopiedRows) {
        var left = limit
        _ = Self.copyRows(of: root, from: lower, through: upper, limit: &left, into: rows)
    }

    /// Returns whether there may be more behind the node.
    private static func copyRows(
        of node: ByteTreeNode, from lower: RawSpan?, through upper: RawSpan?, limit: inout Int, into rows: CopiedRows
    ) -> Bool {
        guard node.page.value.isLeaf else {
            // Only the first child can have keys below the range.
            var first = 0
            if let lower { first = node.page.value.childIndex(lower) }
            for index in first..<node.page.value.count {
                let isInside = copyRows(
                    of: node.page.value.children[index], from: index == first ? lower : nil, through: upper,
                    limit: &limit, into: rows)
                if !isInside { return false }
            }
            return true
        }
        var first = 0
        if let lower { first = node.page.value.lowerBound(lower).index }
        for index in first..<node.page.value.count {
            if let upper, node.page.value.order(ofKeyAt: index, to: upper) > 0 { return false }
            guard limit > 0 else { return false }
            limit -= 1
            node.page.value.addRow(at: index, to: rows)
        }
        return true
    }

    /// Writes a value; returns whether the key was new.
    ///
    /// - Precondition: key and value are at most ``maximumLength`` bytes long.
    @discardableResult
    public mutating func put(_ key: RawSpan, _ value: RawSpan) -> Bool {
        precondition(key.byteCount <= Self.maximumLength && value.byteCount <= Self.maximumLength)
        makeRootUnique()
        let (isNew, grown, right) = Self.put(key, value, into: root)
        byteCount += grown
        if let right {
            var page = ByteTreePage(isLeaf: false)
            page.insert(at: 0, key: .empty, value: .empty)
            page.insertSeparator(at: 1, for: right.page.value)
            page.children = [root, right]
            root = ByteTreeNode(page)
        }
        if isNew { count += 1 }
        return isNew
    }

    /// Writes into a node that is ours alone; returns whether the key was new, how many bytes were added, and the right half
    /// if the node was split.
    private static func put(
        _ key: RawSpan, _ value: RawSpan, into node: ByteTreeNode
    ) -> (isNew: Bool, grown: Int, right: ByteTreeNode?) {
        if node.page.value.isLeaf {
            let (index, found) = node.page.value.lowerBound(key)
            var grown = value.byteCount
            if found {
                grown -= node.page.value.valueSize(at: index)
                node.page.value.replaceValue(at: index, with: value)
            } else {
                grown += key.byteCount
                node.page.value.insert(at: index, key: key, value: value)
            }
            return (!found, grown, splitIfOverfull(node, writtenAt: index))
        }
        let index = node.page.value.childIndex(key)
        let child = uniqueChild(of: node, at: index)
        let (isNew, grown, right) = put(key, value, into: child)
        guard let right else { return (isNew, grown, nil) }
        node.page.value.insertSeparator(at: index + 1, for: right.page.value)
        node.page.value.children.insert(right, at: index + 1)
        return (isNew, grown, splitIfOverfull(node, writtenAt: index + 1))
    }

    private static func splitIfOverfull(_ node: ByteTreeNode, writtenAt index: Int) -> ByteTreeNode? {
        guard node.page.value.isOverfull else { return nil }
        // Ascending keys leave full pages behind.
        let count = node.page.value.count
        let middle = index == count - 1 ? count - 1 : count / 2
        return ByteTreeNode(node.page.value.split(at: middle))
    }

    /// Deletes a key; returns whether it was there.
    @discardableResult
    public mutating func delete(_ key: RawSpan) -> Bool {
        guard contains(key) else { return false }
        makeRootUnique()
        byteCount -= key.byteCount + Self.delete(key, from: root)
        count -= 1
        while !root.page.value.isLeaf && root.page.value.count == 1 {
            root = root.page.value.children[0]
        }
        return true
    }

    /// Returns how many bytes the value had.
    private static func delete(_ key: RawSpan, from node: ByteTreeNode) -> Int {
        if node.page.value.isLeaf {
            let (index, found) = node.page.value.lowerBound(key)
            guard found else { return 0 }
            let size = node.page.value.valueSize(at: index)
            node.page.value.remove(at: index)
            return size
        }
        let index = node.page.value.childIndex(key)
        let child = uniqueChild(of: node, at: index)
        let size = delete(key, from: child)
        let left = child.page.value.count
        guard left < ByteTreePage.maximumCount / 4 && node.page.value.count > 1 else { return size }
        if left == 0 {
            node.page.value.remove(at: index)
        } else if !mergeChild(of: node, at: index), index > 0 {
            _ = mergeChild(of: node, at: index - 1)
        }
        return size
    }

    /// Joins a child with the one to its right if both are small.
    private static func mergeChild(of node: ByteTreeNode, at index: Int) -> Bool {
        guard index + 1 < node.page.value.count else { return false }
        let right = node.page.value.children[index + 1]
        let left = node.page.value.children[index]
        let count = left.page.value.count + right.page.value.count
        let bytes = left.page.value.liveBytes + right.page.value.liveBytes
        guard count <= ByteTreePage.maximumCount * 3 / 4 && bytes <= ByteTreePage.maximumBytes / 2 else { return false }
        let target = ByteTreeNode(left.page.value.copy())
        target.page.value.merge(right.page.value, below: node.page.value, at: index + 1)
        node.page.value.children[index] = target
        node.page.value.remove(at: index + 1)
        return true
    }

    private mutating func makeRootUnique() {
        if !isKnownUniquelyReferenced(&root) { root = ByteTreeNode(root.page.value.copy()) }
    }

    private static func uniqueChild(of node: ByteTreeNode, at index: Int) -> ByteTreeNode {
        if !isKnownUniquelyReferenced(&node.page.value.children[index]) {
            let copy = ByteTreeNode(node.page.value.children[index].page.value.copy())
            node.page.value.children[index] = copy
        }
        return node.page.value.children[index]
    }
}
