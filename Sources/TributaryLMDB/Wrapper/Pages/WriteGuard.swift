internal import TributaryCore

/// Checks the pages that a write transaction is about to go through, as they were before it.
///
/// A page that it has written itself was checked when it was first reached; LMDB keeps that in memory.
final class WriteGuard {
    private let file: PageSnapshot
    private let environment: LMDBEnvironment
    private var roots: [LMDBDatabase: TreeRoot] = [:]

    init(_ file: PageSnapshot, _ environment: LMDBEnvironment) {
        self.file = file
        self.environment = environment
    }

    /// Checks the way to a key and, if it may be deleted, what may be merged with pages on the way.
    func check(_ database: LMDBDatabase, _ key: RawSpan, deletes: Bool) throws(LMDBError) {
        do throws(PageFault) {
            guard let root = try root(database) else { return }
            var walk = TreeWalk(root, in: file)
            if try walk.seek(key), walk.key.bytes.isEqual(to: key) { _ = try walk.value() }
            if deletes { try walk.checkSiblings() }
        } catch { throw environment.failure(error) }
    }

    /// Checks so many entries from a key on, which may be deleted.
    func check(_ database: LMDBDatabase, from key: RawSpan, entries: Int) throws(LMDBError) {
        do throws(PageFault) {
            guard let root = try root(database) else { return }
            var walk = TreeWalk(root, in: file)
            var leaf = UInt64.max
            var isThere = key.isEmpty ? try walk.first() : try walk.seek(key)
            var left = entries
            while isThere && left > 0 {
                _ = try walk.value()
                if let page = walk.path.last, page != leaf {
                    leaf = page
                    try walk.checkSiblings()
                }
                left -= 1
                isThere = try walk.next()
            }
        } catch { throw environment.failure(error) }
    }

    /// Checks that a database's name leads to it, as LMDB looks for it.
    func check(name: String) throws(LMDBError) {
        do throws(PageFault) { _ = try file.tree(Array(name.utf8)) } catch { throw environment.failure(error) }
    }

    private func root(_ database: LMDBDatabase) throws(PageFault) -> TreeRoot? {
        if let root = roots[database] { return root }
        guard let name = environment.name(database), let root = try file.tree(name) else { return nil }
        roots[database] = root
        return root
    }
}
