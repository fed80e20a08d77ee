//! The names of the texts that the personality holds, `text.<name>.<language>`. The texts themselves
//! are nowhere in the code.

macro_rules! texts {
    ($($text:ident = $name:literal),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Text { $($text),* }

        impl Text {
            pub const ALL: &[Text] = &[$(Text::$text),*];

            pub fn path(self) -> &'static str {
                match self { $(Text::$text => concat!("text.", $name)),* }
            }
        }
    };
}

texts! {
    // Hello and good-bye.
    Welcome = "welcome",
    WelcomeNamed = "welcome_named",
    WelcomeBack = "welcome_back",
    WelcomeBackSearch = "welcome_back_search",
    Hello = "hello",
    Thanks = "thanks",
    Help = "help",
    StartedOver = "started_over",
    Agent = "agent",
    AgentAfter = "agent_after",
    Sorry = "sorry",
    SorryAgain = "sorry_again",
    // What is not text.
    GotVoice = "got_voice",
    GotMedia = "got_media",
    GotLocation = "got_location",
    GotContacts = "got_contacts",
    GotUnknown = "got_unknown",
    // Questions.
    AskLanguage = "ask_language",
    AskPurpose = "ask_purpose",
    AskKind = "ask_kind",
    AskRooms = "ask_rooms",
    AskArea = "ask_area",
    AskBudget = "ask_budget",
    Choose = "choose",
    // Answers, as buttons and in summaries.
    Buy = "buy",
    Rent = "rent",
    Apartment = "apartment",
    Villa = "villa",
    Townhouse = "townhouse",
    Penthouse = "penthouse",
    AnyKind = "any_kind",
    Studio = "studio",
    OneRoom = "one_room",
    TwoRooms = "two_rooms",
    ManyRooms = "many_rooms",
    MoreRooms = "more_rooms",
    UpToRooms = "up_to_rooms",
    RangeRooms = "range_rooms",
    AnyRooms = "any_rooms",
    AnyArea = "any_area",
    UpTo = "up_to",
    From = "from",
    Between = "between",
    AnyBudget = "any_budget",
    // Amounts.
    Million = "million",
    Thousand = "thousand",
    Price = "price",
    PricePerYear = "price_per_year",
    // Results.
    Found = "found",
    FoundOne = "found_one",
    PhotoCaption = "photo_caption",
    SeeHomes = "see_homes",
    MoreHomes = "more_homes",
    NoMatch = "no_match",
    NoHomes = "no_homes",
    RelaxArea = "relax_area",
    RelaxRooms = "relax_rooms",
    RelaxKind = "relax_kind",
    RelaxBudget = "relax_budget",
    RelaxAll = "relax_all",
    RelaxCount = "relax_count",
    RelaxFrom = "relax_from",
    TalkToAgent = "talk_to_agent",
    NewSearch = "new_search",
    // One home.
    Home = "home",
    HomeSize = "home_size",
    HomeGone = "home_gone",
    Book = "book",
    BackToList = "back_to_list",
    ChooseHomeFirst = "choose_home_first",
    // A viewing.
    AskDay = "ask_day",
    AskSlot = "ask_slot",
    Days = "days",
    Times = "times",
    Day = "day",
    LaterTimes = "later_times",
    NoDays = "no_days",
    DayClosed = "day_closed",
    SlotGone = "slot_gone",
    AskConfirm = "ask_confirm",
    Confirm = "confirm",
    OtherTime = "other_time",
    NotNow = "not_now",
    Booked = "booked",
    BookedAlready = "booked_already",
    ChangeTime = "change_time",
    CancelViewing = "cancel_viewing",
    ViewingCancelled = "viewing_cancelled",
    NoViewing = "no_viewing",
    Reminder = "reminder",
    IWillBeThere = "i_will_be_there",
    SeeYou = "see_you",
}
