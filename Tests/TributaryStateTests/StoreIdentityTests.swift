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

    @Test func `names, caching and logging are no part of an identity`() {
        var other = StoreDescription(name: "b", kind: .keyValue, isCached: true, isLogged: false)
        other.serdes = "string int64"
        #expect(other.identity == identity(.keyValue))
    }
}
