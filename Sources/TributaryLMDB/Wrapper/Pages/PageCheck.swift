internal import CLMDB
internal import TributaryCore

/// Checks all trees of a commit: every page, and that none is used twice or both used and free.
package struct PageCheck {
    /// What was found wrong.
    package private(set) var findings: [LMDBError] = []
    /// How many pages are in use.
    package private(set) var pages = 0
    /// How many pages are free.
    package private(set) var freePages = 0

    /// The most findings that are kept.
    private static let most = 1000
    private var marks: [UInt64] = []

    /// Makes a check that has found nothing.
    package init() {}

    mutating func run(_ file: PageSnapshot, _ environment: LMDBEnvironment) throws(LMDBError) {
        marks = [UInt64](repeating: 0, count: Int(file.lastPage / 64) + 1)
        var visit = TreeVisit(file, environment)
        visit.tree(file.main, .bytes, &self)
        visit.tree(file.free, .numbers, &self)
        marks = []
    }

    /// Checks the list of free pages, which LMDB follows without a look, and that no tree begins with one of them: such a tree is one of
    /// an earlier commit, in which nothing but the data's age is wrong.
    static func freeList(_ file: PageSnapshot, _ environment: LMDBEnvironment) throws(LMDBError) {
        var check = PageCheck()
        check.marks = [UInt64](repeating: 0, count: Int(file.lastPage / 64) + 1)
        var visit = TreeVisit(file, environment, onlyRoots: true)
        visit.tree(file.free, .numbers, &check)
        visit.tree(file.main, .bytes, &check)
        if let first = check.findings.first { throw first }
    }

    fileprivate mutating func add(_ finding: LMDBError) {
        if findings.count < Self.most { findings.append(finding) }
    }

    /// Notes that pages are used or free; false if one of them was before.
    fileprivate mutating func mark(_ number: UInt64, count: UInt64, isFree: Bool) -> Bool {
        var isNew = true
        for page in number..<(number + count) {
            let (word, bit) = (Int(page / 64), UInt64(1) << (page % 64))
            guard word < marks.count else { return false }
            if marks[word] & bit != 0 { isNew = false }
            marks[word] |= bit
        }
        if isFree { freePages += Int(count) } else { pages += Int(count) }
        return isNew
    }
}

/// Goes through whole trees, on behind what is damaged.
private struct TreeVisit {
    private let file: PageSnapshot
    private let environment: LMDBEnvironment
    /// Whether only the first pages of the databases are looked at.
    private let onlyRoots: Bool

    init(_ file: PageSnapshot, _ environment: LMDBEnvironment, onlyRoots: Bool = false) {
        self.file = file
        self.environment = environment
        self.onlyRoots = onlyRoots
    }

    mutating func tree(_ root: TreeRoot, _ order: KeyOrder, _ check: inout PageCheck) {
        guard root.page != UInt64.max else { return }
        guard root.depth >= 1, root.depth <= TreeWalk.deepest else {
            check.add(environment.failure(PageFault(page: root.page, what: "a tree's depth can't be")))
            return
        }
        var entries: UInt64 = 0
        let before = check.findings.count
        page(root.page, left: root.depth, .none, .none, order, &check, &entries)
        if entries != root.entries && check.findings.count == before {
            check.add(environment.failure(PageFault(page: root.page, what: "a tree has another number of entries")))
        }
    }

    private mutating func page(
        _ number: UInt64, left: Int, _ low: FileBytes, _ high: FileBytes, _ order: KeyOrder,
        _ check: inout PageCheck, _ entries: inout UInt64
    ) {
        do throws(PageFault) {
            let page = try TreePage(number, in: file, isLeaf: left == 1, order: order)
            guard check.mark(number, count: 1, isFree: false) else {
                throw PageFault(page: number, what: "a page is used twice, or free as well")
            }
            try page.check(between: low, and: high, order)
            for index in 0..<page.count {
                if page.isLeaf {
                    entries += 1
                    try leafNode(page, index, order, &check)
                } else {
                    self.page(
                        page.child(index), left: left - 1, index > 0 ? page.key(index) : low,
                        index + 1 < page.count ? page.key(index + 1) : high, order, &check, &entries)
                }
            }
        } catch { check.add(environment.failure(error)) }
    }

    private mutating func leafNode(
        _ page: TreePage, _ index: Int, _ order: KeyOrder, _ check: inout PageCheck
    ) throws(PageFault) {
        if let tree = page.tree(index) {
            guard onlyRoots else { return self.tree(tree, .bytes, &check) }
            guard tree.page == UInt64.max || check.mark(tree.page, count: 1, isFree: false) else {
                throw PageFault(page: tree.page, what: "a tree begins with a free page, or with another's")
            }
            return
        }
        let value = try page.value(index, in: file)
        if let own = try page.ownPages(index, in: file), !check.mark(own.number, count: own.count, isFree: false) {
            throw PageFault(page: own.number, what: "a value's page is used twice, or free as well")
        }
        if order == .numbers { try freeList(value.bytes, page.number, &check) }
    }

    /// A list of free pages: their number, then they in descending order.
    private func freeList(_ list: RawSpan, _ page: UInt64, _ check: inout PageCheck) throws(PageFault) {
        func word(_ index: Int) -> UInt64 {
            UInt64(littleEndian: (list.integer(at: index * 8, as: UInt64.self) ?? 0).byteSwapped)
        }
        let count = word(0)
        guard list.byteCount >= 8, count <= UInt64(list.byteCount / 8 - 1) else {
            throw PageFault(page: page, what: "a list of free pages is longer than its place")
        }
        var last = UInt64.max
        for index in 0..<Int(count) {
            let free = word(index + 1)
            guard free >= 2, free <= file.lastPage, free < last else {
                throw PageFault(page: page, what: "a list of free pages is out of order")
            }
            guard check.mark(free, count: 1, isFree: true) else {
                throw PageFault(page: free, what: "a page is free twice, or used as well")
            }
            last = free
        }
    }
}
