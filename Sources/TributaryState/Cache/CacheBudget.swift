internal import TributaryCore

/// The byte budget that the caches of one stream thread share.
///
/// Over the limit the cache that was just written to evicts its least recently used entry, as in Kafka Streams (Docs/Semantics.md, The cache). There, what
/// a table's reads have left, which nobody needs to write, starves the small store beside it. So here a cache that has less than
/// its share, half of an equal part, takes the place of clean entries of another that has more, which shows in no result. Budgets under
/// 64 KiB are Kafka Streams' to the entry.
public final class CacheBudget {
    /// The limit in bytes.
    public let limit: Int
    let used = Owned(0)

    /// The limit from which on caches have a share.
    static var smallest: Int { 64 << 10 }

    private struct Member {
        // Beside the reference, which can't be used while its object ends.
        let id: ObjectIdentifier
        unowned let cache: StoreCache
    }

    // Its caches leave before they end.
    private var members: [Member] = []
    private var share = 0
    /// The one that gave last, or -1.
    private var giver = -1
    /// How many more times nobody is looked for, after nobody was found.
    private var rest = 0

    /// Makes a budget.
    public init(limit: Int) { self.limit = limit }

    /// Bytes in use, counted as Kafka Streams counts them (Docs/Semantics.md, The cache).
    public var usedBytes: Int { used.value }

    func join(_ cache: StoreCache) {
        members.append(Member(id: ObjectIdentifier(cache), cache: cache))
        divide()
    }

    func leave(_ cache: StoreCache) {
        let id = ObjectIdentifier(cache)
        members.removeAll { $0.id == id }
        divide()
    }

    private func divide() {
        giver = -1
        rest = 0
        share = limit >= Self.smallest && members.count > 1 ? limit / (2 * members.count) : 0
    }

    /// Takes the place of another cache's clean entry for one that has less than its share.
    ///
    /// - Returns: false if it has its share, or nobody has a clean one above their own: the cache has to evict one of its own.
    func takeFromOthers(for cache: StoreCache) -> Bool {
        guard cache.byteCount < share else { return false }
        if giver >= 0, members[giver].cache !== cache, members[giver].cache.dropOldestClean(above: share) {
            return true
        }
        if rest > 0 {
            rest -= 1
            return false
        }
        giver = -1
        var most = share
        for (place, member) in members.enumerated() where member.cache !== cache && member.cache.cleanByteCount > most {
            most = member.cache.cleanByteCount
            giver = place
        }
        if giver >= 0, members[giver].cache.dropOldestClean(above: share) { return true }
        rest = members.count
        return false
    }
}
