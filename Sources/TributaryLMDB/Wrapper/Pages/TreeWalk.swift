internal import TributaryCore

/// A walk over a tree of an LMDB file that checks every page before it looks into it.
///
/// A page's keys must lie between those that lead to it, so that a damaged key is found rather than other entries missed: a key
/// that isn't there is looked for on both sides of where it should be.
struct TreeWalk {
    private struct Level: BitwiseCopyable {
        var page: TreePage
        var index: Int
        // The keys of the pages above between which this page's lie.
        var low: FileBytes
        var high: FileBytes
    }
    private enum Place { case nowhere, entry, end, front }
    private enum Goal {
        case first
        case last
    }

    static let deepest = 24
    private let file: PageSnapshot
    private let root: TreeRoot
    private let order: KeyOrder
    private var levels: [Level] = []
    private var place = Place.nowhere

    init(_ root: TreeRoot, in file: PageSnapshot, order: KeyOrder = .bytes) {
        self.root = root
        self.order = order
        self.file = file
    }

    // MARK: Where it is

    /// The key here; only at an entry.
    var key: FileBytes {
        guard place == .entry, let leaf = levels.last else { return .none }
        return leaf.page.key(leaf.index)
    }

    /// The value here; only at an entry.
    func value() throws(PageFault) -> FileBytes {
        guard place == .entry, let leaf = levels.last else { return .none }
        return try leaf.page.value(leaf.index, in: file)
    }

    /// The tree that is described here, if it is one.
    var tree: TreeRoot? {
        guard place == .entry, let leaf = levels.last else { return nil }
        return leaf.page.tree(leaf.index)
    }

    /// The pages from the root to here.
    var path: [UInt64] { levels.map(\.page.number) }

    var isAtEntry: Bool { place == .entry }

    // MARK: Going on; each returns whether there is an entry

    mutating func first() throws(PageFault) -> Bool {
        guard try begin() else { return false }
        try descend(.first)
        return true
    }

    mutating func last() throws(PageFault) -> Bool {
        guard try begin() else { return false }
        try descend(.last)
        return true
    }

    mutating func next() throws(PageFault) -> Bool {
        switch place {
        case .nowhere, .front: return try first()
        case .end: return false
        case .entry: break
        }
        guard let leaf = levels.last else { return false }
        if leaf.index + 1 < leaf.page.count {
            levels[levels.count - 1].index += 1
            return true
        }
        place = .end
        guard try turn({ $0.index + 1 < $0.page.count ? 1 : nil }, .first) else { return false }
        place = .entry
        return true
    }

    mutating func previous() throws(PageFault) -> Bool {
        switch place {
        case .nowhere, .end: return try last()
        case .front: return false
        case .entry: break
        }
        guard let leaf = levels.last else { return false }
        if leaf.index > 0 {
            levels[levels.count - 1].index -= 1
            return true
        }
        place = .front
        guard try turn({ $0.index > 0 ? -1 : nil }, .last) else { return false }
        place = .entry
        return true
    }

    /// To the first entry whose key is not below `key`.
    mutating func seek(_ key: RawSpan) throws(PageFault) -> Bool {
        guard try begin() else { return false }
        while let here = levels.last, !here.page.isLeaf {
            levels[levels.count - 1].index = here.page.childIndex(key)
            try enter()
        }
        guard let leaf = levels.last else { return false }
        let index = leaf.page.lowerBound(key)
        place = .entry
        if index == leaf.page.count {
            // In the page that follows, whose first key must be at or above the one that leads to it.
            levels[levels.count - 1].index = index - 1
            return try next()
        }
        levels[levels.count - 1].index = index
        if index == 0 && !leaf.page.key(0).bytes.isEqual(to: key) {
            // Not in this page: then it may not be in the one before, either.
            var before = self
            _ = try before.previous()
        }
        return true
    }

    // MARK: Steps

    private mutating func begin() throws(PageFault) -> Bool {
        levels.removeAll(keepingCapacity: true)
        place = .end
        guard root.page != UInt64.max else {
            guard root.entries == 0 else { throw PageFault(page: root.page, what: "a tree has entries and no root") }
            return false
        }
        guard root.depth >= 1, root.depth <= Self.deepest else {
            throw PageFault(page: root.page, what: "a tree's depth can't be")
        }
        levels.reserveCapacity(root.depth)
        let page = try TreePage(root.page, in: file, isLeaf: root.depth == 1, order: order)
        levels.append(Level(page: page, index: 0, low: .none, high: .none))
        return true
    }

    /// Goes down from the last level to a leaf, along one edge.
    private mutating func descend(_ goal: Goal) throws(PageFault) {
        while let here = levels.last {
            levels[levels.count - 1].index = goal == .first ? 0 : here.page.count - 1
            if here.page.isLeaf { break }
            try enter()
        }
        place = .entry
    }

    /// Goes up to the first level that has more on one side, and down again there.
    private mutating func turn(_ step: (Level) -> Int?, _ goal: Goal) throws(PageFault) -> Bool {
        let kept = levels
        while levels.count > 1 {
            levels.removeLast()
            guard let here = levels.last, let distance = step(here) else { continue }
            levels[levels.count - 1].index += distance
            try enter()
            try descend(goal)
            return true
        }
        levels = kept
        return false
    }

    /// Checks the pages on both sides of each one between the root and here: those that a deletion may merge with it.
    func checkSiblings() throws(PageFault) {
        for depth in levels.indices.dropFirst() {
            let above = levels[depth - 1]
            for index in [above.index - 1, above.index + 1] where index >= 0 && index < above.page.count {
                var beside = self
                beside.levels.removeSubrange(depth...)
                beside.levels[depth - 1].index = index
                try beside.enter()
            }
        }
    }

    /// Adds the page that the last level's index leads to.
    private mutating func enter() throws(PageFault) {
        guard let above = levels.last else { return }
        let low = above.index > 0 ? above.page.key(above.index) : above.low
        let high = above.index + 1 < above.page.count ? above.page.key(above.index + 1) : above.high
        let page = try TreePage(
            above.page.child(above.index), in: file, isLeaf: levels.count + 1 == root.depth, order: order)
        try page.check(between: low, and: high, order)
        levels.append(Level(page: page, index: 0, low: low, high: high))
    }
}
