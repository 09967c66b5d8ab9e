import Testing
import TributaryState

/// What is kept beside a store's rows is an encoding of its own: names in the sources may change, it may not.
@Suite struct StoreIdentityTests {
    private func identity(_ kind: StoreDescription.Kind) -> String {
        var description = StoreDescription(name: "a", kind: kind)
        description.serdes = "string int64"
        return description.identity
    }

    @Test func `identities are as the page of formats has them`() {
        #expect(identity(.keyValue) == "1 keyValue string int64")
        #expect(identity(.timestampedKeyValue) == "1 timestampedKeyValue string int64")
        #expect(
            identity(.window(retention: 120_000, size: 60_000, retainsDuplicates: true, timestamped: false))
                == "1 window retention=120000 size=60000 duplicates=1 timestamped=0 string int64")
    }

    @Test(
        arguments: [
            StoreDescription.Kind.keyValue, .timestampedKeyValue,
            .window(retention: 9, size: 3, retainsDuplicates: true, timestamped: false),
            .window(retention: 9, size: 3, retainsDuplicates: false, timestamped: true), .session(retention: 7),
            .versioned(history: 5), .list, .subscriptions, .leastRecentlyUsed(maximum: 3), .joinBuffer, .suppression,
        ])
    func `an identity says what it was made of`(_ kind: StoreDescription.Kind) throws {
        var description = StoreDescription(name: "a", kind: kind)
        description.serdes = "string a serde with spaces"
        for isUnusual in [false, true] {
            description.isOrderedByTime = isUnusual && description.retention != nil
            description.keepsTimestamps = !isUnusual
            let read = try #require(StoreDescription(name: "a", identity: description.identity))
            #expect(read == description)
        }
    }

    @Test(arguments: ["", "1", "2 keyValue string string", "1 something string string", "1 session string string"])
    func `what is no identity is none`(_ text: String) {
        #expect(StoreDescription(name: "a", identity: text) == nil)
    }

    @Test func `names, caching and logging are no part of an identity`() {
        var other = StoreDescription(name: "b", kind: .keyValue, isCached: true, isLogged: false)
        other.serdes = "string int64"
        #expect(other.identity == identity(.keyValue))
    }
}
