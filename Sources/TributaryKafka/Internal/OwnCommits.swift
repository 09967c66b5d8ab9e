internal import TributaryCore

/// The offsets that a member of a group has committed, as far as it can know: what tells its own commits from another member's.
struct OwnCommits: Sendable {
    /// What is known to be committed.
    private(set) var known: [TopicPartition: CommittedOffset] = [:]
    // Commits whose answer never came, or said that they failed: any of them may be what the brokers have.
    private var attempts: [[TopicPartition: CommittedOffset]] = []

    /// A commit whose outcome isn't known.
    mutating func attempted(_ offsets: [TopicPartition: CommittedOffset]) {
        if !attempts.contains(offsets) { attempts.append(offsets) }
    }

    /// What was committed, or was found to be.
    mutating func remember(_ offsets: [TopicPartition: CommittedOffset]) {
        attempts = []
        known.merge(offsets) { _, new in new }
    }

    /// Whether an offset that the brokers have is one that this member committed, as far as it can be.
    func isOwn(_ found: CommittedOffset?, of place: TopicPartition) -> Bool {
        // A topic's identity isn't among what brokers keep.
        func isSame(_ own: CommittedOffset?) -> Bool {
            own?.offset == found?.offset && own?.metadata == found?.metadata
        }
        return isSame(known[place]) || attempts.contains { $0[place].map(isSame) ?? false }
    }
}
