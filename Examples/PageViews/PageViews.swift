// Page views by region and minute: `views` (user: page) joined with `users` (user: region), out to `views-by-region`.
//
//     tributary topics create users views views-by-region --log ./views
//     echo '{"key":"ada","value":{"region":"north"}}' | tributary topics produce users --log ./views
//     echo '{"key":"ada","value":{"page":"/docs"}}' | tributary topics produce views --log ./views
//     PageViews ./views &
//     tributary topics consume views-by-region --key-format windowed:text --value-format int64 --follow --max 1 --log ./views
//     kill $!
import Tributary

@main struct PageViews: TributaryApp {
    let configuration = StreamsConfiguration(
        applicationID: "page-views", log: .embedded(at: CommandLine.arguments.dropFirst().first ?? "./data"))

    func build(_ builder: StreamsBuilder) throws {
        let users = builder.table("users", of: User.self, as: "users")
        let minute = Duration.seconds(60)
        builder.stream("views", of: View.self)
            .join(users) { _, user in user.region }
            .groupBy { _, region in region }
            // Each partition of the views is read at its own pace, so that one may be behind another by hours.
            .windowedBy(.tumbling(size: minute, grace: .seconds(86_400)))
            .count(as: "views-by-minute")
            .toStream()
            .to("views-by-region", key: .timeWindowed(.string, size: minute))
    }
}

struct User: JSONRecordable {
    var region: String
}

struct View: JSONRecordable {
    var page: String
}
