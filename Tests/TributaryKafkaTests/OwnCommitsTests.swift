import Testing
import TributaryCore

@testable import TributaryKafka

/// What tells a member's own commits from another's.
@Suite struct OwnCommitsTests {
    private let place = TopicPartition("t", 1)

    @Test func `what brokers give back is own although they keep no identity of topics`() {
        var commits = OwnCommits()
        commits.remember([place: CommittedOffset(7, metadata: "m", topicIdentity: "t's second life")])
        #expect(commits.isOwn(CommittedOffset(7, metadata: "m"), of: place))
        #expect(!commits.isOwn(CommittedOffset(8, metadata: "m"), of: place))
        #expect(!commits.isOwn(CommittedOffset(7, metadata: "other"), of: place))
        #expect(!commits.isOwn(nil, of: place))
    }

    @Test func `a commit whose answer was lost is own, as is the one before it`() {
        var commits = OwnCommits()
        commits.remember([place: CommittedOffset(7)])
        commits.attempted([place: CommittedOffset(9)])
        #expect(commits.isOwn(CommittedOffset(7), of: place) && commits.isOwn(CommittedOffset(9), of: place))
        #expect(!commits.isOwn(CommittedOffset(8), of: place))
        commits.remember([place: CommittedOffset(9)])
        #expect(!commits.isOwn(CommittedOffset(7), of: place))
    }

    @Test func `without a commit only nothing is own`() {
        #expect(OwnCommits().isOwn(nil, of: place))
        #expect(!OwnCommits().isOwn(CommittedOffset(0), of: place))
    }
}
